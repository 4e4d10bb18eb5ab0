"""The hub's database, embedded SQLite or PostgreSQL: three groups of tables with one owner each."""
