"""A recorded clip. Here it is made up, so that the example needs no download."""

import torch
from torch.utils.data import Dataset


class Clip(Dataset):
    """Where every joint is seen, frame by frame: joints x 2."""

    def __init__(self, joints, frames, seed=1):
        generator = torch.Generator().manual_seed(seed)
        body = torch.randn(joints, 3, generator=generator, dtype=torch.float64)
        self.angles = torch.linspace(-0.8, 0.8, frames, dtype=torch.float64)
        x = torch.outer(torch.cos(self.angles), body[:, 0])
        x = x + torch.outer(torch.sin(self.angles), body[:, 2])
        self.seen = torch.stack([x, body[:, 1].expand_as(x)], dim=-1)

    def __len__(self):
        return len(self.angles)

    def __getitem__(self, frame):
        return frame, torch.tensor(self.seen[frame], dtype=torch.float32)
