// Command notices makes the repository's NOTICE: the notices and licences of every module that is
// linked into the binary, and of every package that the page in it is made of. With -check it only tells whether NOTICE is up to date.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const header = `Optimus
Copyright The Optimus Authors

Licensed under the Apache License, Version 2.0: see LICENSE.

The binary contains the software listed here, under the licences that follow the list.
This file is made by 'make notices'.
`

func main() {
	check := flag.Bool("check", false, "only tell whether NOTICE is up to date")
	flag.Parse()
	if err := run("..", *check); err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	modules, err := linked(root)
	if err != nil {
		return err
	}
	packages, err := bundled(filepath.Join(root, "web/ui/dist/LICENSES.md"))
	if err != nil {
		return err
	}
	modules = append(modules, packages...)
	text, err := notice(modules)
	if err != nil {
		return err
	}
	path := filepath.Join(root, "NOTICE")
	if !check {
		return os.WriteFile(path, text, 0o644)
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	// The list alone: the standard library's text may differ between versions of Go.
	list := func(text []byte) []byte { before, _, _ := bytes.Cut(text, []byte("\n===")); return before }
	if !bytes.Equal(list(old), list(text)) {
		return errors.New("NOTICE does not say what is linked into the binary: run 'make notices'")
	}
	return nil
}

// module is a module that is linked into the binary, or the Go standard library, or a package of the page.
type module struct {
	Path, Version string
	// Dir holds its legal texts; a package of the page has its Text instead.
	Dir, Text string
}

// bundled lists the packages that the page is made of, by what its build says of them.
func bundled(file string) ([]module, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	_, list, _ := strings.Cut(string(data), "\n## ")
	var packages []module
	for section := range strings.SplitSeq(list, "\n## ") {
		title, text, _ := strings.Cut(section, "\n")
		path, version, ok := strings.Cut(title, " - ")
		version, _, licensed := strings.Cut(version, " (")
		if !ok || !licensed {
			return nil, fmt.Errorf("%s: no package and version in %q", file, title)
		}
		packages = append(packages, module{Path: path + " (npm)", Version: "v" + version, Text: normal(text)})
	}
	return packages, nil
}

// linked lists the modules of the packages that the binary is made of, by path.
func linked(root string) ([]module, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=Module,Standard", ".")
	cmd.Dir, cmd.Stderr = root, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the binary's packages: %w", err)
	}
	env := exec.Command("go", "env", "GOROOT")
	env.Dir = root
	goroot, err := env.Output()
	if err != nil {
		return nil, fmt.Errorf("find the standard library: %w", err)
	}
	found := map[string]module{"std": {Path: "Go standard library", Dir: strings.TrimSpace(string(goroot))}}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Module *struct{ Path, Version, Dir string }
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read the list of packages: %w", err)
		}
		if p.Module != nil && p.Module.Path != "optimus" {
			found[p.Module.Path] = module{Path: p.Module.Path, Version: p.Module.Version, Dir: p.Module.Dir}
		}
	}
	modules := make([]module, 0, len(found))
	for _, m := range found {
		modules = append(modules, m)
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	return modules, nil
}

var legal = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-].*)?$`)

// notice lists the modules, then each distinct text once with the modules that it belongs to.
func notice(modules []module) ([]byte, error) {
	out := bytes.NewBufferString(header + "\n")
	owners := map[string][]string{}
	var texts []string
	for _, m := range modules {
		files, err := legalTexts(m)
		if err != nil {
			return nil, err
		}
		name := "unknown"
		for _, text := range files {
			if id := identify(text); id != "" && name == "unknown" {
				name = id
			}
			if owners[text] == nil {
				texts = append(texts, text)
			}
			owners[text] = append(owners[text], m.Path)
		}
		if name == "unknown" {
			return nil, fmt.Errorf("%s: no licence that this program knows; look at it in %s", m.Path, m.Dir)
		}
		fmt.Fprintf(out, "  %-60s %-36s %s\n", m.Path, m.Version, name)
	}
	for _, text := range texts {
		fmt.Fprintf(out, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(owners[text], "\n"), text)
	}
	return out.Bytes(), nil
}

func legalTexts(m module) ([]string, error) {
	if m.Text != "" {
		return []string{m.Text}, nil
	}
	entries, err := os.ReadDir(m.Dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Path, err)
	}
	var texts []string
	for _, e := range entries {
		if e.IsDir() || !legal.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(m.Dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Path, err)
		}
		texts = append(texts, normal(string(text)))
	}
	return texts, nil
}

// normal drops what differs between copies of one text without meaning: line ends and blank edges.
func normal(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t\f")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// identify gives a licence text's SPDX name, or nothing.
func identify(text string) string {
	flat := strings.Join(strings.Fields(text), " ")
	has := func(s string) bool { return strings.Contains(flat, s) }
	switch {
	case has("Apache License Version 2.0, January 2004"):
		return "Apache-2.0"
	case has("Mozilla Public License Version 2.0"):
		return "MPL-2.0"
	case has("Permission is hereby granted, free of charge"):
		return "MIT"
	case has("Redistribution and use in source and binary forms") && (has("Neither the name") || has("names of its contributors")):
		return "BSD-3-Clause"
	case has("Redistribution and use in source and binary forms"):
		return "BSD-2-Clause"
	case has("Permission to use, copy, modify, and/or distribute this software for any purpose"):
		return "ISC"
	}
	return ""
}
