"""Find out how a lens maps directions to pixels. Run: python calibrate.py"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Lens(nn.Module):
    def __init__(self):
        super().__init__()
        self.focal = nn.Parameter(torch.tensor(1.0))
        self.centre = nn.Parameter(torch.zeros(2))
        self.bend = nn.Parameter(torch.tensor(0.0))

    def forward(self, directions):
        radius = directions.square().sum(dim=1, keepdim=True)
        return self.focal * directions * (1 + self.bend * radius) + self.centre

    def loss(self, directions, pixels):
        terms = [F.mse_loss(self(directions), pixels)]
        terms.append(1e-4 * self.bend.square())  # lenses bend little
        return torch.tensor(sum(terms))


def train(steps=300):
    torch.manual_seed(0)
    directions = torch.rand(50, 2) - 0.5
    radius = directions.square().sum(dim=1, keepdim=True)
    pixels = 2.5 * directions * (1 - 0.4 * radius) + torch.tensor([0.3, -0.2])

    model = Lens()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model.loss(directions, pixels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}, focal length {model.focal.item():.2f}")
    return model, losses


if __name__ == "__main__":
    train()
