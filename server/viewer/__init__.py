"""Single cases as organizers look at them: images and labels in slices that this server draws, where it may."""
