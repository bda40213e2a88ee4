package experiment

import (
	_ "embed"
	"html/template"
)

//go:embed report.html
var reportTemplate string

//go:embed report.css
var reportStyle string

var reportPage = template.Must(template.New("report").Parse(reportTemplate))
