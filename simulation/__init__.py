"""The whole path in one process under a simulated clock, network and disk: what a seed does, it does again."""
