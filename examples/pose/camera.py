"""A camera that has turned and shifted by an amount which is to be found out."""

import torch
import torch.nn as nn


class Camera(nn.Module):
    def __init__(self):
        super().__init__()
        self.angle = nn.Parameter(torch.tensor(0.0))
        self.shift = nn.Parameter(torch.zeros(2))

    def rotation(self):
        """Turn about the vertical axis."""
        c, s = torch.cos(self.angle), torch.sin(self.angle)
        return torch.tensor([
            [c, 0.0, s],
            [0.0, 1.0, 0.0],
            [-s, 0.0, c],
        ])

    def forward(self, points):
        turned = points @ self.rotation().T
        return turned[:, :2] + self.shift
