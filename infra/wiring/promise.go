package wiring

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// Promises are what the programs said of themselves when that was last agreed
// on, a file api/<program>.json each: somebody's manifests rely on it.
func Promises(dir string) (map[string]process.Help, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	promises := map[string]process.Help{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var h process.Help
		if err := json.Unmarshal(text, &h); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		promises[strings.TrimSuffix(filepath.Base(file), ".json")] = h
	}
	return promises, nil
}

// CheckPromises finds what programs no longer keep.
func CheckPromises(promises map[string]process.Help, catalogue Catalogue) []Finding {
	var all []Finding
	for _, p := range catalogue.images() {
		if promised, ok := promises[p.Program]; ok {
			all = append(all, broken(promised, p.Help)...)
		}
		all = append(all, unitless(p.Help)...)
	}
	for name := range promises {
		if _, there := catalogue[name]; !there {
			all = append(all, Finding{"api", name, "the program is gone", "keep it, or delete its file to say that nobody relies on it"})
		}
	}
	return all
}

// WritePromises writes the files anew, when no promise is broken.
func WritePromises(dir string, catalogue Catalogue) error {
	promises, err := Promises(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range CheckPromises(promises, catalogue) {
		errs = append(errs, errors.New(f.String()))
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, p := range catalogue.images() {
		text, err := promise(p.Help)
		if err != nil {
			return err
		}
		file := filepath.Join(dir, p.Program+".json")
		is, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if string(is) == text {
			continue
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func promise(h process.Help) (string, error) {
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(h)
	return out.String(), err
}

// broken lists what somebody who relied on the promise would trip over. A
// parameter may get another name when the old one is still read; a default may
// change, but only in plain sight: the file is written anew.
func broken(promised, now process.Help) []Finding {
	f := &findings{wiring: "api", process: promised.Program}
	for _, old := range promised.Params {
		name := old.Name
		if renamed, ok := now.Renamed[name]; ok {
			name = renamed
		}
		at := slices.IndexFunc(now.Params, func(p config.Param) bool { return p.Name == name })
		switch {
		case at < 0:
			f.add("keep it, or name its successor in Program.Renamed", "the parameter %s is gone", old.Name)
		case now.Params[at].Type != old.Type:
			f.add("a new parameter, and the old one still read", "%s was a %s and is a %s", name, old.Type, now.Params[at].Type)
		case !needed(old) && needed(now.Params[at]):
			f.add("a default", "%s had the default %q and must now be set", name, old.Default)
		}
	}
	for _, old := range slices.Sorted(maps.Keys(promised.Renamed)) {
		if _, read := now.Renamed[old]; !read && !slices.ContainsFunc(now.Params, func(p config.Param) bool { return p.Name == old }) {
			f.add("keep it in Program.Renamed", "%s, an old name of %s, is not read any more", old, promised.Renamed[old])
		}
	}
	for _, old := range promised.Ports {
		if !slices.Contains(now.Ports, old) {
			f.add("keep it", "the port %s %d/%s is gone", old.Name, old.Number, old.Protocol)
		}
	}
	return f.all
}

func needed(p config.Param) bool { return p.Required && p.Default == "" }

var unit = regexp.MustCompile(`(?i)\b((milli|micro|nano)?seconds?|minutes?|hours?|[kmg]i?bytes?)\b`)

// unitless finds numbers that stand for a time or a size: whoever changes the
// unit of such a parameter breaks everybody silently. A duration and a size
// carry theirs.
func unitless(h process.Help) []Finding {
	f := &findings{wiring: "api", process: h.Program}
	for _, p := range h.Params {
		counted := strings.Contains(p.Doc, "a second") || strings.Contains(p.Doc, "per second") // a rate
		if (p.Type == "integer" || p.Type == "number") && unit.MatchString(p.Doc) && !counted {
			f.add("a duration or a size, with its unit in the value", "%s is a %s of a unit: %s", p.Name, p.Type, p.Doc)
		}
	}
	return f.all
}
