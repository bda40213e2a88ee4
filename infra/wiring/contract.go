package wiring

import (
	"strings"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
	"github.com/flotilla-dev/flotilla/internal/retry"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// contract are the parameters of the process contract: the only ones without
// the prefix of a program.
type contract struct {
	process.Contract
	upstream.Intervals
	upstream.Health
	retry.Settings
}

// given are names that others have chosen: those that the platform sets, and
// those of the book.
var given = map[string]bool{
	"KUBERNETES_SERVICE_HOST": true, "KUBERNETES_SERVICE_PORT": true,
	"CERTIFICATE_PATH": true, "KEY_PATH": true, "PROXY_PORT": true,
	"SERVICE_BINDING_ROOT": true, // of servicebinding.io
}

// CheckContract finds parameters that look as if they were of the contract and
// are not, or that mean something else than there.
func CheckContract(catalogue Catalogue) ([]Finding, error) {
	params, err := config.Describe[contract](config.Spec{})
	if err != nil {
		return nil, err
	}
	shared := map[string]config.Param{}
	for _, p := range params {
		shared[p.Name] = p
	}
	var all []Finding
	for _, program := range catalogue.images() {
		f := &findings{wiring: "contract", process: program.Program}
		for _, p := range program.Params {
			same, known := shared[p.Name]
			switch {
			case strings.HasPrefix(p.Name, program.Prefix) || given[p.Name]:
			case !known:
				f.add("its prefix, "+program.Prefix+", or a parameter that internal declares for all", "%s has no prefix and is not of the contract", p.Name)
			case p.Type != same.Type || p.Doc != same.Doc:
				f.add(same.Type+": "+same.Doc, "%s is a %s: %s", p.Name, p.Type, p.Doc)
			}
		}
		all = append(all, f.all...)
	}
	return all, nil
}
