"""Running the LRS: the web process, the worker process, and the supervisor above them."""
