"""`python -m elision.torch.bench`: PyTorch before and after the patch, in one run on the same threads."""
