"""The operators' pages: who may look (people, sessions, fence), page by page, and the process that serves them."""
