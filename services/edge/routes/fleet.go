package routes

import _ "embed"

//go:embed fleet.yaml
var fleet []byte

// Fleet is the file that is used when none is given: fleet.yaml beside this
// source.
func Fleet() []byte { return fleet }
