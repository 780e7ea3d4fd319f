"""One file a resource; each exports its `routes`."""
