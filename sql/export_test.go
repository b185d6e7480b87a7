package sql

// Provider is the migrator, for tests that stop half way.
var Provider = provider

// CreateSchema is the first step of Migrate.
var CreateSchema = createSchema
