package config

import (
	"encoding"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Param describes one parameter of a program.
type Param struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // string, integer, number, boolean, duration, size or list
	Default  string `json:"default"`
	Required bool   `json:"required,omitempty"`
	Secret   bool   `json:"secret,omitempty"` // masked wherever it is shown
	Doc      string `json:"doc"`
	goName   string
	field    []int
}

// Describe lists the parameters of a C, in the order of its fields. It fails
// when a parameter is not documented.
func Describe[C any](spec Spec) ([]Param, error) {
	var params []Param
	var err error
	walk(reflect.TypeFor[C](), func(f reflect.StructField, name, options string) {
		p := Param{
			Name: name, Type: typeName(f.Type), Default: f.Tag.Get("envDefault"), Doc: f.Tag.Get("doc"), goName: f.Name, field: f.Index,
			Required: strings.Contains(options, "required") || strings.Contains(options, "notEmpty"),
			Secret:   f.Tag.Get("secret") == "true",
		}
		if byProgram, ok := spec.Defaults[name]; ok {
			p.Default = byProgram
		}
		p.Required = p.Required && p.Default == ""
		if p.Doc == "" {
			err = fmt.Errorf("parameter %s of %s has no doc tag", name, spec.Program)
		}
		params = append(params, p)
	})
	for _, prefix := range slices.Sorted(maps.Keys(spec.Families)) {
		params = append(params, Param{Name: prefix + "*", Type: "string", Doc: spec.Families[prefix]})
	}
	return params, err
}

// walk visits the fields of a struct that have a variable: its own, those of
// embedded structs, and those of named ones that give their variables a prefix
// (envPrefix). The index it reports leads from the outermost struct to the field.
func walk(t reflect.Type, visit func(f reflect.StructField, name, options string)) {
	walkPrefixed(t, "", nil, visit)
}

func walkPrefixed(t reflect.Type, prefix string, path []int, visit func(f reflect.StructField, name, options string)) {
	for _, f := range reflect.VisibleFields(t) {
		f.Index = slices.Concat(path, f.Index)
		if more, nested := f.Tag.Lookup("envPrefix"); nested && f.Type.Kind() == reflect.Struct {
			walkPrefixed(f.Type, prefix+more, f.Index, visit)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("env"), ",")
		if name != "" && name != "-" {
			visit(f, prefix+name, options)
		}
	}
}

func typeName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t == reflect.TypeFor[Size]():
		return "size"
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return "string" // it has a syntax of its own, which its doc tells
	}
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list"
	case reflect.String:
		return "string"
	}
	if t.ConvertibleTo(reflect.TypeFor[int64]()) {
		return "integer"
	}
	return "string"
}

// Table writes the parameters for people.
func Table(w io.Writer, params []Param) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "PARAMETER\tTYPE\tDEFAULT\tMEANING")
	for _, p := range params {
		value := p.Default
		switch {
		case p.Required:
			value = "(required)"
		case value == "":
			value = "-"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", p.Name, p.Type, value, p.Doc)
	}
	return tw.Flush()
}

// Values returns each parameter's value in cfg, secrets masked.
func Values[C any](spec Spec, cfg C) (map[string]string, error) {
	params, err := Describe[C](spec)
	if err != nil {
		return nil, err
	}
	values := make(map[string]string, len(params))
	for _, p := range params {
		if p.field == nil { // a family has no field
			continue
		}
		v := reflect.ValueOf(cfg).FieldByIndex(p.field)
		if p.Secret && !v.IsZero() {
			values[p.Name] = "***"
			continue
		}
		values[p.Name] = fmt.Sprint(v.Interface())
	}
	return values, nil
}
