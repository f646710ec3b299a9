// Package program looks at the binary that is packed.
package program

import (
	"debug/elf"
	"errors"
	"fmt"
)

// Architecture tells, in the words of OCI and Debian, what machine a program is for. One that needs a loader is
// refused: it would not run everywhere.
func Architecture(binary string) (string, error) {
	f, err := elf.Open(binary)
	if err != nil {
		return "", fmt.Errorf("%s: %w", binary, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return "", errors.New(binary + " is not static: build it with CGO_ENABLED=0")
		}
	}
	switch f.Machine {
	case elf.EM_X86_64:
		return "amd64", nil
	case elf.EM_AARCH64:
		return "arm64", nil
	default:
		return "", fmt.Errorf("%s is for %s, which Optimus does not run on", binary, f.Machine)
	}
}
