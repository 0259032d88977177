package app

import (
	"stoa/marathon/id"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

// Create takes a JSON document all the way to an app that has no place in the tree yet:
// read, normalised, converted, judged. Errors are those of playjson.Parse, *ReadError,
// *ValidationError and *ConversionError.
func Create(text []byte, base id.Path, s *Settings, now timestamp.Timestamp) (*App, error) {
	document, err := playjson.Parse(text)
	if err != nil {
		return nil, err
	}
	definition, err := ReadDefinition(&document)
	if err != nil {
		return nil, err
	}
	return definition.Create(base, s, now)
}

// Create makes a new app of a complete definition.
func (d *Definition) Create(base id.Path, s *Settings, now timestamp.Timestamp) (*App, error) {
	normal, err := d.Normalise(base, s)
	if err != nil {
		return nil, err
	}
	return normal.accepted(s, OnlyVersion(now))
}

// accepted converts and judges a definition that has been normalised.
func (d *Definition) accepted(s *Settings, info VersionInfo) (*App, error) {
	a, err := d.App()
	if err != nil {
		return nil, err
	}
	a.VersionInfo = info
	if err := a.Validate(s); err != nil {
		return nil, err
	}
	return a, nil
}

// Replace makes the app that a complete definition turns old into; it keeps old's version info.
func (d *Definition) Replace(old *App, base id.Path, s *Settings) (*App, error) {
	normal, err := d.Normalise(base, s)
	if err != nil {
		return nil, err
	}
	return normal.accepted(s, old.VersionInfo)
}

// Update makes the app that a partial definition, normalised by NormaliseUpdate, turns old
// into; it keeps old's version info.
func (d *Definition) Update(old *App, s *Settings) (*App, error) {
	return d.Merge(old).Replace(old, id.Root, s)
}
