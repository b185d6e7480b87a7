package sql

// Provider is the migrator, for tests that stop half way.
var Provider = provider

// Fragment is what a fragment expands to.
func Fragment(name string) (string, error) { return expandFragments("{{ "+name+" }}", 0) }

// ContractOf is what the contract asks of a row e of a relation, as one condition and as the checks of a row x.
func ContractOf(relation SourceRelation) (valid, faults string, err error) {
	if valid, err = expandFragments(relation.Valid(), 0); err != nil {
		return "", "", err
	}
	faults, err = expandFragments(relation.Faults(), 0)
	return valid + "\n", faults, err
}

// Fingerprint is what SchemaFingerprint is made by.
var Fingerprint = fingerprint
