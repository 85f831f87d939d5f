"""Fit the body and all its cameras to a clip. Run: python train.py"""

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from pose.body import Body
from pose.clip import Clip


def train(epochs=200, joints=12, frames=8):
    torch.manual_seed(0)
    clip = DataLoader(Clip(joints, frames), batch_size=frames)
    model = Body(joints, frames)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)

    losses = []
    for epoch in range(epochs):
        for frame, seen in clip:
            optimizer.zero_grad()
            loss = F.mse_loss(model(frame), seen)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        if epoch % 40 == 0:
            print(f"epoch {epoch:3}  loss {losses[-1]:.4f}")
    return model, losses


if __name__ == "__main__":
    train()
