"""The ML Test Score of this project: 28 checks, each of which can fail."""
