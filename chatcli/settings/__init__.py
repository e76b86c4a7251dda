"""Every setting, once; and where each value comes from."""
