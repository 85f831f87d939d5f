"""A program with functions and classes of the kinds that people write."""

TEXT = """
import math
import random
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical

class Net(nn.Module):
    def __init__(self, in_dim, hidden, n_classes):
        super().__init__()
        self.fc1 = nn.Linear(in_dim, hidden)
        self.fc2 = nn.Linear(hidden, n_classes)
    def forward(self, x, mask=None):
        if mask is not None:
            x = x * mask
        return self.fc2(F.relu(self.fc1(x.view(x.size(0), -1))))

class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 5)
        self.fc = nn.Linear(4 * 12 * 12, 10)
    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        return self.fc(x.view(-1, 4 * 12 * 12))

class Tagger(nn.Module):
    def __init__(self, vocab_size, embedding_dim, hidden_dim):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, embedding_dim)
        self.rnn = nn.LSTM(embedding_dim, hidden_dim, batch_first=True)
    def forward(self, tokens):
        return self.rnn(self.embed(tokens))[0]

class Cell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.cell = nn.LSTMCell(input_size, hidden_size)
    def forward(self, x, h, c):
        return self.cell(x, (h, c))

class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        assert config.n_embd % config.n_head == 0
        self.qkv = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.n_head = config.n_head
    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.qkv(x).split(C, dim=2)
        q = q.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        return q @ q.transpose(-2, -1)

class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2
    @staticmethod
    def backward(ctx, grad):
        return grad * 2

class Buffer:
    def __init__(self, capacity):
        self.rows = []
    def push(self, state, reward):
        self.rows.append((state, reward))
    def sample(self, batch_size):
        states, rewards = zip(*random.sample(self.rows, batch_size))
        return torch.stack(states)

class Trainer:
    def __init__(self, model, lr=0.1):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    def step(self, x, y):
        loss = F.mse_loss(self.model(x), y)
        self.optimizer.zero_grad(); loss.backward(); self.optimizer.step()
        return loss.item()

def rotation(theta):
    c, s = torch.cos(theta), torch.sin(theta)
    return torch.tensor([[c, -s], [s, c]])

def train(model, loader, optimizer, epochs):
    model.train()
    for epoch in range(epochs):
        for i, (data, target) in enumerate(loader):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(data), target)
            loss.backward()
            optimizer.step()
    return len(loader.dataset)

def fit(x, y, lr=0.01, steps=1000):
    w = torch.zeros(x.shape[1], 1, requires_grad=True)
    for _ in range(steps):
        loss = ((x @ w - y) ** 2).mean()
        loss.backward()
        w.data -= lr * w.grad
    return w

def td_step(model, batch, target_net, gamma):
    states, actions, rewards, next_states, dones = batch
    q = model(states).gather(1, actions.unsqueeze(1)).squeeze(1)
    with torch.no_grad():
        best = target_net(next_states).max(1)[0]
    return F.mse_loss(q, rewards + gamma * best * (1 - dones))

def focal_loss(logits, targets, alpha, gamma):
    ce = F.cross_entropy(logits, targets, reduction="none")
    return (alpha * (1 - torch.exp(-ce)) ** gamma * ce).mean()

def log_det(cov):
    return torch.logdet(cov) + torch.linalg.cholesky(cov).sum()

def simulate(params, n_steps):
    x = params["x0"]
    for _ in range(n_steps):
        x = x - params["k"] * x
    return x

def kernel(x, mode):
    if mode == "rbf":
        return torch.exp(-x ** 2)
    if mode == "linear":
        return x
    raise ValueError(mode)

def quaternion(q):
    q = q / q.norm(dim=1, keepdim=True)
    return torch.stack([q[:, 0] * q[:, 3], q[:, 1] * q[:, 2]], dim=1)

def unpack(image):
    b, c, h, w = image.shape
    return image.reshape(b, c * h * w)

def sgd(params, lr):
    for p in params:
        p.data -= lr * p.grad

def from_config(args, x):
    layer = nn.Linear(x.shape[1], args.hidden_dim)
    return getattr(F, args.activation)(layer(x)) * args.scale

def act(state, net):
    probs = F.softmax(net(torch.from_numpy(state).float()), dim=-1)
    return Categorical(probs).sample()

def returns(rewards, gamma):
    total, out = 0.0, []
    for r in rewards[::-1]:
        total = r + gamma * total
        out.insert(0, total)
    return torch.tensor(out)

def plot(x):
    return np.sin(x.numpy())

def twins(a, b):
    return torch.cat([a, b], dim=0).norm(dim=1)

def episode(env, policy):
    state = env.reset()
    return env.step(policy(state))

def pairs(xs: "list[torch.Tensor]", size: "tuple[int, int]") -> "torch.Tensor":
    return torch.stack(xs).reshape(-1)[: size[0] * size[1]]

def doubled(x):
    yield x
    yield x * 2

def impossible(x):
    raise RuntimeError("never")
"""
