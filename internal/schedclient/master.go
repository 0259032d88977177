package schedclient

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// schedulerPath is where a master takes scheduler calls.
const schedulerPath = "/api/v1/scheduler"

// maxRedirects bounds a chain of masters that each think another one leads.
const maxRedirects = 5

// masterURL makes "http://host:port/api/v1/scheduler" of a configured address.
func masterURL(address string) (string, error) {
	text := address
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", fmt.Errorf("master address %q: %w", address, err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		strings.Trim(u.Path, "/") != "" {
		return "", fmt.Errorf("master address %q: must be host:port, http://host:port or https://host:port", address)
	}
	return u.Scheme + "://" + u.Host + schedulerPath, nil
}

// redirectTarget is where a 307 points. Masters send "//host:port/master/api/v1/scheduler" without a scheme.
func redirectTarget(from string, r *http.Response) (string, error) {
	location := r.Header.Get("Location")
	base, err := url.Parse(from)
	if err != nil {
		return "", err
	}
	target, err := base.Parse(location)
	switch {
	case err != nil || location == "" || target.Hostname() == "":
		return "", fmt.Errorf("%s redirects to %q, which is no address", from, location)
	case target.Scheme != "http" && target.Scheme != "https":
		return "", fmt.Errorf("%s redirects to %q, which is not HTTP", from, location)
	case base.Scheme == "https" && target.Scheme == "http":
		return "", fmt.Errorf("%s redirects to %q, which would leave TLS", from, location)
	}
	return target.String(), nil
}

// hostURL cuts the path off.
func hostURL(full string) string {
	u, err := url.Parse(full)
	if err != nil {
		return full
	}
	return u.Scheme + "://" + u.Host
}
