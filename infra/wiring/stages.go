package wiring

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/flotilla-dev/flotilla/internal/config"
	"github.com/flotilla-dev/flotilla/internal/process"
)

// The generated part of the Dockerfile lies between these lines.
const (
	begin = "# --- stages of the programs, written by: go generate ./infra/wiring"
	end   = "# --- end of the written stages"
)

// runtime is the hand-written stage on which a program's stage is built, unless
// there is one called <program>-files with what this program needs besides.
const runtime = "runtime"

// HelpLabel is the label of an image that holds what the program says of itself.
const HelpLabel = "dev.flotilla.help"

// Generate returns the Dockerfile with the stages of all programs written anew.
func Generate(dockerfile string, catalogue Catalogue) (string, error) {
	head, rest, ok := strings.Cut(dockerfile, begin+"\n")
	_, tail, ended := strings.Cut(rest, end+"\n")
	if !ok || !ended {
		return "", fmt.Errorf("the lines %q and %q are not there", begin, end)
	}
	written, err := Stages(head)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString(head + begin + "\n")
	for _, p := range catalogue.images() {
		text, err := stage(p, written)
		if err != nil {
			return "", fmt.Errorf("stage %s: %w", p.Program, err)
		}
		out.WriteString("\n" + text)
	}
	out.WriteString("\n" + end + "\n" + tail)
	return out.String(), nil
}

// variable is a line of ENV, or only a comment when there is nothing to set.
type variable struct {
	config.Param
	Set  bool
	Note string // when there is nothing to set: why
}

const stageText = `# {{.Program}} {{.About}}.
FROM {{.From}} AS {{.Program}}
COPY --from=build /out/{{.Program}} /{{.Program}}
{{- if .Ports}}
# {{range $i, $p := .Ports}}{{if $i}}, {{end}}{{$p.Number}}/{{$p.Protocol}} {{$p.Name}}{{end}}
EXPOSE{{range .Ports}} {{.Number}}/{{.Protocol}}{{end}}
{{- end}}
{{- range .Variables}}
# {{.Doc}} ({{.Type}}{{.Note}})
{{if .Set}}ENV {{.Name}}={{.Default | quote}}{{else}}#   {{.Name}}{{end}}
{{- end}}
LABEL org.opencontainers.image.title={{.Program | quote}} \
      org.opencontainers.image.description={{.About | quote}} \
      org.opencontainers.image.documentation={{.Documentation | quote}} \
      {{.Label}}='{{.HelpJSON}}'
{{- if .Ports}}
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 CMD ["/{{.Program}}", "--healthcheck"]
{{- end}}
ENTRYPOINT ["/{{.Program}}"]
{{- if .Command}}
CMD {{.Command}}
{{- end}}
`

func stage(p Program, written []Stage) (string, error) {
	base := runtime
	if slices.ContainsFunc(written, func(s Stage) bool { return s.Name == p.Program+"-files" }) {
		base = p.Program + "-files"
	}
	body, _, _ := lineage(written, base)
	already := pairs(body, "ENV")
	help, err := helpJSON(p)
	if err != nil {
		return "", err
	}
	t, err := template.New("stage").Funcs(template.FuncMap{"quote": quote}).Parse(stageText)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = t.Execute(&out, struct {
		process.Help
		From, Label, HelpJSON, Documentation string
		Command                              string // ENTRYPOINT forgets the one of the stage before
		Variables                            []variable
	}{p.Help, base, HelpLabel, help, "https://github.com/flotilla-dev/flotilla/tree/main/" + p.Dir, last(body, "CMD"), variables(p, already)})
	return out.String(), err
}

// variables says of each parameter how the image sets it. What a hand-written
// stage sets stays; what has no default can only be told about.
func variables(p Program, already map[string]string) []variable {
	all := make([]variable, 0, len(p.Params))
	for _, param := range p.Params {
		v := variable{Param: param, Set: true}
		_, family := cutStar(param.Name)
		value, overridden := already[param.Name]
		switch {
		case overridden:
			v.Set, v.Note = false, ", in this image "+value
		case family:
			v.Set = false
		case param.Default == "" && param.Required:
			v.Set, v.Note = false, ", required"
		case param.Default == "":
			v.Set = false
		}
		all = append(all, v)
	}
	return all
}

// helpJSON writes --help=json so that it can stand in single quotes, a line for
// each parameter.
func helpJSON(p Program) (string, error) {
	params := p.Help.Params
	p.Help.Params = nil
	head, err := marshal(p.Help)
	if err != nil {
		return "", err
	}
	before, after, _ := strings.Cut(head, `"parameters":null`)
	lines := []string{before + `"parameters":[`}
	for i, param := range params {
		text, err := marshal(param)
		if err != nil {
			return "", err
		}
		if i < len(params)-1 {
			text += ","
		}
		lines = append(lines, text)
	}
	return strings.Join(append(lines, "]"+after), "\\\n"), nil
}

func marshal(v any) (string, error) {
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	// Single quotes end the label; JSON can write them otherwise.
	return strings.ReplaceAll(strings.TrimSpace(out.String()), "'", `\u0027`), nil
}

// quote writes a value for ENV and LABEL.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(s) + `"`
}
