package http1

import "net/http"

// Reason is the phrase of a status.
func Reason(status int) string {
	switch status {
	case 200:
		return "OK"
	case 206:
		return "Partial Content"
	case 304:
		return "Not Modified"
	case 404:
		return "Not Found"
	}
	if text := http.StatusText(status); text != "" {
		return text
	}
	return "Status"
}
