package postgres

// ParametersOf are the names and values of a URL's parameters.
func ParametersOf(databaseURL string) (given [][2]string, err error) {
	parameters, err := parametersOf(databaseURL)
	for _, p := range parameters {
		given = append(given, [2]string{p.name, p.value})
	}
	return given, err
}

// PlannedFor is how many rows the store's plans are kept for.
func (s *Store) PlannedFor() int64 { return s.kept.Load().rows }
