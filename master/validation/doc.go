// Package validation says whether what schedulers and agents send can be accepted.
//
// Comes in: messages, and what they are measured against (what was offered, which
// ids are taken). Goes out: nil, or the first error in the order in which the
// original checks, in its words (src/master/validation.cpp and
// src/common/validation.cpp). It keeps no state and changes nothing.
package validation

import "fmt"

// wrap prefixes an error; nil stays nil.
func wrap(prefix string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s%w", prefix, err)
}

// first runs checks until one fails.
func first(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}
