package simulation

import "slices"

// IsOurFailure says whether the simulation means a failure code to be the platform's fault.
func IsOurFailure(code string) bool { return slices.Contains(systemCodes, code) }
