"""Reference data: taken in from the city's own systems, published, and handed to the kiosks by the librarian."""
