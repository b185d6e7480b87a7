package postgres

// ParametersOf are the names and values of a URL's parameters.
func ParametersOf(databaseURL string) (given [][2]string, err error) {
	parameters, err := parametersOf(databaseURL)
	for _, p := range parameters {
		given = append(given, [2]string{p.name, p.value})
	}
	return given, err
}
