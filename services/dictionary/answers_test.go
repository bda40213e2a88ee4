package dictionary_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// description is what openapi.yaml says about answers.
type description struct {
	Paths      map[string]map[string]operation `yaml:"-"`
	Components struct {
		Responses map[string]response
	}
}

type operation struct{ Responses map[string]response }

type response struct {
	Ref     string `yaml:"$ref"`
	Content map[string]struct {
		Schema struct {
			Ref string `yaml:"$ref"`
		}
	}
}

// described reads the description that a replica serves.
func described(t *testing.T, r *replica) (d description, schemas *jsonschema.Compiler) {
	t.Helper()
	_, text := r.get(t, "/v1/openapi.yaml")
	var whole map[string]any
	var paths struct {
		Paths map[string]map[string]yaml.Node
	}
	for _, into := range []any{&whole, &d, &paths} {
		if err := yaml.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	d.Paths = map[string]map[string]operation{}
	for path, methods := range paths.Paths {
		d.Paths[path] = map[string]operation{}
		for method, node := range methods {
			var op operation
			if method == "parameters" {
				continue
			}
			if err := node.Decode(&op); err != nil {
				t.Fatal(err)
			}
			d.Paths[path][method] = op
		}
	}
	schemas = jsonschema.NewCompiler()
	if err := schemas.AddResource("openapi.json", whole); err != nil {
		t.Fatal(err)
	}
	return d, schemas
}

// TestAnswersAreAsDescribed asks for everything and holds the answers against
// the description: status, media type and schema.
func TestAnswersAreAsDescribed(t *testing.T) {
	t.Parallel()
	r := ready(t, nil)
	d, schemas := described(t, r)
	for _, test := range []struct{ method, url, path, body, accept string }{
		{"get", "/", "/", "", ""},
		{"get", "/?q=dog", "/", "", ""},
		{"get", "/dog", "/{word}", "", "text/html"},
		{"get", "/dog", "/{word}", "", "application/json"},
		{"get", "/run", "/{word}", "", "application/json"},
		{"get", "/mice", "/{word}", "", "application/json"},
		{"get", "/galore", "/{word}", "", "application/json"},
		{"get", "/tcp%2Fip", "/{word}", "", "application/json"},
		{"get", "/Dog", "/{word}", "", ""},
		{"get", "/definately", "/{word}", "", "application/json"},
		{"get", "/qqqqzzzz", "/{word}", "", "application/json"},
		{"get", "/%00", "/{word}", "", ""},
		{"get", "/dog", "/{word}", "", "image/png"},
		{"get", "/v1/words/city", "/v1/words/{word}", "", ""},
		{"get", "/v1/words/definately", "/v1/words/{word}", "", ""},
		{"get", "/v1/suggest?prefix=s&limit=50", "/v1/suggest", "", ""},
		{"get", "/v1/suggest", "/v1/suggest", "", ""},
		{"get", "/v1/random", "/v1/random", "", ""},
		{"get", "/v1/recent", "/v1/recent", "", ""},
		{"post", "/v1/recent", "/v1/recent", `{"word":"dog"}`, ""},
		{"post", "/v1/recent", "/v1/recent", `{}`, ""},
		{"post", "/v1/recent", "/v1/recent", `{"word":"qqqq"}`, ""},
		{"get", "/v1/openapi.yaml", "/v1/openapi.yaml", "", ""},
		{"get", "/assets/none.css", "/assets/{name}", "", ""},
	} {
		got, body := r.do(t, strings.ToUpper(test.method), r.data+test.url, test.body, "Content-Type", "application/json", "Accept", test.accept)
		answer, ok := d.Paths[test.path][test.method].Responses[strconv.Itoa(got.StatusCode)]
		if !ok {
			t.Errorf("%s %s: %d is not described", test.method, test.url, got.StatusCode)
			continue
		}
		if answer.Ref != "" {
			answer = d.Components.Responses[answer.Ref[strings.LastIndex(answer.Ref, "/")+1:]]
		}
		kind, _, _ := strings.Cut(got.Header.Get("Content-Type"), ";")
		content, ok := answer.Content[kind]
		if !ok && body != "" {
			t.Errorf("%s %s: %d as %q is not described", test.method, test.url, got.StatusCode, kind)
		}
		if content.Schema.Ref != "" {
			validate(t, schemas, content.Schema.Ref, test.url, body)
		}
	}
}

func validate(t *testing.T, schemas *jsonschema.Compiler, ref, url, body string) {
	t.Helper()
	schema, err := schemas.Compile("openapi.json" + ref)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s: %v", url, err)
	}
}
