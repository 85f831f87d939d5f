"""A rigid body of a few joints, seen by one camera per frame."""

import torch
import torch.nn as nn

from .camera import Camera


class Body(nn.Module):
    def __init__(self, joints, frames):
        super().__init__()
        # The joints start on a ball; where they really are is to be learned.
        self.shape = nn.Parameter(torch.randn(joints * 3)).view(joints, 3)
        self.cameras = nn.ModuleList([Camera() for _ in range(frames)])

    def forward(self, frames):
        return torch.stack([self.cameras[frame](self.shape) for frame in frames])
