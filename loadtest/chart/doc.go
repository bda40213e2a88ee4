// Package chart draws the two charts that results need, as small SVG files.
//
//	bars := chart.Bars{Title: "Cache hit, 1 KiB", Unit: "requests/s", Rows: []chart.Row{{Label: "cache", Value: 41200}, {Label: "Varnish", Value: 26800}}}
//	err := bars.Write(file)
//
// Both follow the reader's colour scheme (prefers-color-scheme works inside an
// image too), name their units, carry a title and a description for screen
// readers, and need no font, script or network.
package chart
