package sql

// Provider is the migrator, for tests that stop half way.
var Provider = provider
