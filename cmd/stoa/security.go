package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"google.golang.org/protobuf/proto"

	"stoa/agent"
	agentapi "stoa/agent/httpapi"
	agentpeer "stoa/agent/peer"
	"stoa/internal/auth"
	"stoa/internal/flags"
	"stoa/internal/httpd"
	"stoa/master"
	"stoa/master/httpapi"
	"stoa/master/peer"
	"stoa/master/validation"
)

// secretFile reads a file with secrets, and warns if others may read it too. Its path may
// begin with file://.
func secretFile(log *slog.Logger, flag, what, path string) ([]byte, error) {
	path = strings.TrimPrefix(path, "file://")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("Failed to read %s file '%s': %w (see --%s flag)", what, path, err, flag)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
		log.Warn("Permissions on the file are too open; it should not be accessible by others", "file", path, "flag", flag)
	}
	return text, nil
}

// credentials are the secrets of the principals in the file that a flag names; nil without
// the flag.
func credentials(v *flags.Values, log *slog.Logger, flag string) (map[string]string, error) {
	path := v.String(flag)
	if path == "" {
		return nil, nil
	}
	text, err := secretFile(log, flag, "credentials", path)
	if err != nil {
		return nil, err
	}
	secrets, err := auth.ParseCredentials(text)
	if err != nil {
		return nil, fmt.Errorf("%w (see --%s flag)", err, flag)
	}
	for principal, secret := range secrets {
		if secret == "" {
			log.Warn("A principal has no secret: everybody can take its name", "principal", principal, "flag", flag)
		}
	}
	return secrets, nil
}

// realm makes the authenticator of a realm that is switched on: names are those of an
// --http_authenticators flag.
func realm(name, names string, secrets map[string]string) (httpd.Authenticator, error) {
	fail := func(scheme, why string) (httpd.Authenticator, error) {
		return nil, fmt.Errorf("Failed to create HTTP authenticator module '%s': %s", scheme, why)
	}
	list := strings.Split(names, ",")
	for _, scheme := range list {
		if scheme != "basic" {
			return fail(scheme, fmt.Sprintf("HTTP authenticator '%s' not found. Check the spelling (compare to 'basic')"+
				" or verify that the authenticator was loaded successfully (see --modules)", scheme))
		}
	}
	if secrets == nil {
		return fail("basic", fmt.Sprintf("No credentials provided for the default 'basic' HTTP authenticator for realm '%s'", name))
	}
	return httpd.Basic(secrets), nil
}

// authorizer makes the authorizer of --acls; nil without. name is the value of
// --authorizers (master) or --authorizer (agent).
func authorizer(v *flags.Values, log *slog.Logger, name string) (*auth.Authorizer, error) {
	if strings.Contains(name, ",") {
		return nil, errors.New("Multiple authorizers not supported")
	}
	if name != "local" {
		return nil, fmt.Errorf("Could not create '%s' authorizer: it is a module, and modules can't be loaded; local, with --acls, is the only one", name)
	}
	text := v.String("acls")
	if text == "" {
		return nil, nil
	}
	acls, warnings, err := auth.ParseACLs([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("Failed to load flag 'acls': Failed to load value '%s': %w", text, err)
	}
	for _, warning := range warnings {
		log.Warn("A part of --acls counts for nothing: " + warning)
	}
	a, err := auth.New(acls)
	if err != nil {
		return nil, fmt.Errorf("Could not create '%s' authorizer: %w", name, err)
	}
	return a, nil
}

// disabledEndpoints are the paths that --firewall_rules switches off.
func disabledEndpoints(v *flags.Values) ([]string, error) {
	text := v.String("firewall_rules")
	if text == "" {
		return nil, nil
	}
	rules, err := auth.ParseFirewall([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("Failed to load flag 'firewall_rules': Failed to load value '%s': %w", text, err)
	}
	return rules.GetDisabledEndpoints().GetPaths(), nil
}

// asMessages shows the flags that hold messages in the text form of these, as the
// original does.
func asMessages(v *flags.Values, shown map[string]string) {
	show := func(flag string, m proto.Message, err error) {
		if err == nil {
			shown[flag] = validation.DebugString(m)
		}
	}
	if text := v.String("acls"); text != "" {
		acls, _, err := auth.ParseACLs([]byte(text))
		show("acls", acls, err)
	}
	if text := v.String("firewall_rules"); text != "" {
		rules, err := auth.ParseFirewall([]byte(text))
		show("firewall_rules", rules, err)
	}
}

// secureMaster follows the flags that say who may do what with a master
// (src/master/master.cpp, Master::initialize).
func secureMaster(v *flags.Values, log *slog.Logger, c *master.Config) error {
	secrets, err := credentials(v, log, "credentials")
	if err != nil {
		return err
	}
	if name := v.String("authenticators"); name != "crammd5" {
		return fmt.Errorf("Authenticator '%s' not found. Check the spelling (compare to 'crammd5')"+
			" or verify that the authenticator was loaded successfully (see --modules)", name)
	}
	c.AuthenticatePeers = peer.Authentication{
		Secrets: secrets,
		Agents:  v.Bool("authenticate_agents"),
		Drivers: v.Bool("authenticate_frameworks"),
		Timeout: v.Duration("authentication_v0_timeout"),
	}
	if secrets == nil && (c.AuthenticatePeers.Agents || c.AuthenticatePeers.Drivers) {
		log.Warn("No credentials provided, authentication requests will be refused; give --credentials")
	}
	frameworks := v.String("http_framework_authenticators")
	if v.Bool("authenticate_http_frameworks") && frameworks == "" {
		return errors.New("Missing `--http_framework_authenticators` flag. This must be used in conjunction with `--authenticate_http_frameworks`")
	}
	for _, r := range []struct {
		on          string
		name, names string
		to          *httpd.Authenticator
	}{
		{"authenticate_http_readonly", httpapi.RealmReadOnly, v.String("http_authenticators"), &c.AuthenticateReadOnly},
		{"authenticate_http_readwrite", httpapi.RealmReadWrite, v.String("http_authenticators"), &c.AuthenticateReadWrite},
		{"authenticate_http_frameworks", httpapi.RealmScheduler, frameworks, &c.AuthenticateFrameworks},
	} {
		if !v.Bool(r.on) {
			continue
		}
		if *r.to, err = realm(r.name, r.names, secrets); err != nil {
			return err
		}
	}
	if c.Authorizer, err = authorizer(v, log, v.String("authorizers")); err != nil {
		return err
	}
	if c.DisabledEndpoints, err = disabledEndpoints(v); err != nil {
		return err
	}
	asMessages(v, c.Flags)
	return nil
}

// secureAgent follows the flags that say who may do what with an agent, and who the agent
// is for its master (src/slave/slave.cpp, Slave::initialize).
func secureAgent(v *flags.Values, log *slog.Logger, c *agent.Config) error {
	if path := v.String("credential"); path != "" {
		text, err := secretFile(log, "credential", "credential", path)
		if err != nil {
			return err
		}
		principal, secret, err := auth.ParseCredential(text)
		if err != nil {
			return fmt.Errorf("%w (see --credential flag)", err)
		}
		if name := v.String("authenticatee"); name != "crammd5" {
			return fmt.Errorf("--authenticatee=%s: it is a module, and modules can't be loaded; crammd5 is the only one", name)
		}
		c.Authentication = &agentpeer.Authentication{
			Principal: principal, Secret: secret,
			TimeoutMin:    v.Duration("authentication_timeout_min"),
			TimeoutMax:    v.Duration("authentication_timeout_max"),
			BackoffFactor: v.Duration("authentication_backoff_factor"),
			Spread:        c.RegistrationBackoffFactor,
		}
	}
	secrets, err := credentials(v, log, "http_credentials")
	if err != nil {
		return err
	}
	names := v.String("http_authenticators")
	if names == "" {
		names = "basic"
	}
	if v.Bool("authenticate_http_executors") {
		return errors.New("--authenticate_http_executors: this version can't ask executors for tokens; leave it out")
	}
	for _, r := range []struct {
		on, name string
		to       *httpd.Authenticator
	}{
		{"authenticate_http_readonly", agentapi.RealmReadOnly, &c.AuthenticateReadOnly},
		{"authenticate_http_readwrite", agentapi.RealmReadWrite, &c.AuthenticateReadWrite},
	} {
		if !v.Bool(r.on) {
			continue
		}
		if *r.to, err = realm(r.name, names, secrets); err != nil {
			return err
		}
	}
	if c.Authorizer, err = authorizer(v, log, v.String("authorizer")); err != nil {
		return err
	}
	if c.DisabledEndpoints, err = disabledEndpoints(v); err != nil {
		return err
	}
	asMessages(v, c.Flags)
	return nil
}
