"""One epoch of the same network in PyTorch: prints its seconds, without reading the data.

Usage: python torch_epoch.py FOLDER THREADS      (FOLDER has MNIST's uncompressed training files)
"""
import pathlib
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

BATCH = 128


def dense(inputs, units, rate):
    return [nn.Linear(inputs, units), nn.ReLU(), nn.Dropout(rate)]


def read(folder):
    images = torch.frombuffer(bytearray((folder / "train-images-idx3-ubyte").read_bytes()), dtype=torch.uint8)
    labels = torch.frombuffer(bytearray((folder / "train-labels-idx1-ubyte").read_bytes()), dtype=torch.uint8)
    return images[16:].reshape(-1, 784).float() / 255, labels[8:].long()


def main(folder, threads):
    torch.set_num_threads(threads)
    x, labels = read(pathlib.Path(folder))
    model = nn.Sequential(
        nn.Dropout(0.2), *dense(784, 1024, 0.5), *dense(1024, 1024, 0.5), *dense(1024, 1024, 0.5), nn.Linear(1024, 10)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    start = time.perf_counter()
    total = 0.0
    for rows in torch.randperm(len(x)).split(BATCH):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[rows]), labels[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    seconds = time.perf_counter() - start
    mean = total / len(x)
    assert 0.1 < mean < 1.5, f"the network did not learn: loss {mean}"
    print(f"{seconds:.3f} {mean:.4f}")


main(sys.argv[1], int(sys.argv[2]))
