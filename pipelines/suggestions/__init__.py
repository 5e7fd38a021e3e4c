"""Which examples to label next: `zoo suggest`."""
