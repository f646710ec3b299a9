package sandboxtest

import "slices"

// Cases are the programs of the suite, each written so that it prints what is wrong, one thing a
// line, and "done" at its end.
func Cases() []Case {
	return slices.Concat(endCases(), inputOutputCases(), compileCases(), limitCases(), memoryCases(),
		processCases(), leftoverCases(), identityCases(), viewCases(), networkCases(), kernelCases(), measureCases())
}
