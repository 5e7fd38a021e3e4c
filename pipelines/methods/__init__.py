"""What can be done with a backbone and data besides the main job."""
