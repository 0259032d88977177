package main

import (
	"errors"
	"log/slog"
	"strings"

	"stoa/internal/flags"
	"stoa/marathon"
)

// marathonIdentity follows the --mesos_authentication flags: who Marathon is for its
// master. The principal is named in any case; the secret is only sent if authentication is
// switched on (MarathonSchedulerDriver.scala).
func marathonIdentity(v *flags.Values, log *slog.Logger, c *marathon.Config) error {
	c.Principal = v.String("mesos_authentication_principal")
	secret, file := v.String("mesos_authentication_secret"), v.String("mesos_authentication_secret_file")
	switch on := v.Bool("mesos_authentication"); {
	case secret != "" && file != "":
		return errors.New("give only one of --mesos_authentication_secret and --mesos_authentication_secret_file")
	case on && c.Principal == "":
		return errors.New("--mesos_authentication needs --mesos_authentication_principal")
	case !on && secret+file != "":
		log.Warn("The secret for the master is not used: --mesos_authentication is not given")
		return nil
	case !on:
		return nil
	case file != "":
		text, err := secretFile(log, "mesos_authentication_secret_file", "secret", file)
		if err != nil {
			return err
		}
		secret = strings.TrimSpace(string(text))
	}
	if c.Secret = secret; secret == "" {
		log.Warn("Marathon has no secret to prove its principal with: give --mesos_authentication_secret_file")
	}
	return nil
}
