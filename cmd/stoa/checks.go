package main

import (
	"errors"

	"stoa/internal/flags"
)

// compatVersion is the Mesos release whose wire this binary speaks.
const compatVersion = "1.11.0"

func masterNeedsWorkDir(v *flags.Values) error {
	if v.String("work_dir") == "" && v.String("registry") != "in_memory" {
		return errors.New("--work_dir needed for replicated log based registry")
	}
	return nil
}

func registryStrictIsRefused(v *flags.Values) error {
	if v.Bool("registry_strict") {
		return errors.New("Support for '--registry_strict' has been disabled: leave it out or set it to false")
	}
	return nil
}

func agentNeedsWorkDir(v *flags.Values) error {
	if v.String("work_dir") == "" {
		return errors.New("Flag 'work_dir' is required, but it was not provided")
	}
	return nil
}

func agentNeedsMaster(v *flags.Values) error {
	if v.String("master") == "" && v.String("master_detector") == "" {
		return errors.New("Missing required option `--master` or `--master_detector`")
	}
	return nil
}
