package wiring

import (
	"maps"
	"path"
	"regexp"
	"slices"
)

// compareFiles: a configuration file that a variable names says the same
// everywhere.
func compareFiles(reference, other Fleet) []Finding {
	return each(other, func(p Process, f *findings) {
		same, found := reference.Find(p.Name)
		if !found {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(p.Env)) {
			is, here := p.Files[p.Env[name]]
			want, there := same.Files[same.Env[name]]
			if here && there && is != want {
				f.add("the content that "+reference.Wiring+" gives it", "the file of %s (%s) has another content", name, p.Env[name])
			}
		}
	})
}

var digest = regexp.MustCompile(`\.[0-9a-f]{12,64}\.`)

// checkData: where a program's default names a file by its digest, what is
// configured is the same file.
func checkData(catalogue Catalogue, fleet Fleet) []Finding {
	return each(fleet, func(p Process, f *findings) {
		for _, param := range catalogue[p.Program].Params {
			value, set := p.Env[param.Name]
			if want := path.Base(param.Default); set && digest.MatchString(want) && path.Base(value) != want {
				f.add(want+", as "+p.Program+" --help says", "%s leads to %s", param.Name, path.Base(value))
			}
		}
	})
}
