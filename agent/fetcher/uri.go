package fetcher

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"stoa/internal/mesos/mesospb"
)

// validate gives the original's errors for a URI that cannot be fetched whatever it holds.
func validate(uri *mesospb.CommandInfo_URI) error {
	if _, err := basename(uri.GetValue()); err != nil {
		return err
	}
	if uri.OutputFile == nil {
		return nil
	}
	return validateOutput(uri.GetOutputFile())
}

func validateOutput(output string) error {
	if _, err := basename(output); err != nil {
		return err
	}
	if output == "" {
		return errors.New("URI output file path is empty")
	}
	// Unlike the original, a path that climbs out with ".." is refused here and not left
	// to the operating system.
	if !filepath.IsLocal(output) {
		return errors.New("URI output file must be within the sandbox directory")
	}
	return nil
}

// basename gives the file name under which a URI lands in the sandbox. A query string stays.
func basename(uri string) (string, error) {
	if strings.ContainsAny(uri, "\\'\x00") {
		return "", errors.New("Illegal characters in URI")
	}
	if i := strings.Index(uri, "://"); i > 1 {
		path := uri[i+len("://"):]
		slash := strings.IndexByte(path, '/')
		if slash < 0 || len(path) <= slash+1 {
			return "", fmt.Errorf("Malformed URI (missing path): %s", uri)
		}
		return path[strings.LastIndexByte(path, '/')+1:], nil
	}
	return filepath.Base(uri), nil
}

// localPath tells whether the URI names a file of this machine, and which.
func localPath(uri, frameworksHome string) (path string, local bool, err error) {
	file := strings.HasPrefix(uri, "file://")
	if !file && strings.Contains(uri, "://") {
		return "", false, nil
	}
	path = uri
	if file {
		path = strings.TrimPrefix(uri, "file://")
		if rest, ok := strings.CutPrefix(path, "localhost"); ok {
			path = rest
		}
	}
	if strings.HasPrefix(path, "/") {
		return path, true, nil
	}
	if file {
		return "", true, errors.New("File URI only supports absolute paths")
	}
	if frameworksHome == "" {
		return "", true, errors.New("A relative path was passed for the resource but the " +
			"Mesos framework home was not specified. " +
			"Please either provide this config option " +
			"or avoid using a relative path")
	}
	return filepath.Join(frameworksHome, path), true, nil
}
