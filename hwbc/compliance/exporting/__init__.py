"""Lists as files: what each holds, made at once or by the worker, with what is to be known about it on sheet one."""
