"""The operators' pages: who may look (people, sessions, fence), the pages one by one, and the process that serves them."""
