package auth

import (
	"errors"
	"fmt"
	"strings"

	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"

	"google.golang.org/protobuf/proto"
)

// ErrNoCredentials says that a file of credentials is empty.
var ErrNoCredentials = errors.New("Credentials file must contain at least one credential")

// ParseCredentials reads the text of a file that --credentials or --http_credentials
// names:
//
//	{"credentials": [{"principal": "ops", "secret": "s3cret"}]}
//
// or the form of Mesos before 1.0, one principal and its secret a line, separated by
// blanks. It returns the secret of each principal; of several the last one counts.
func ParseCredentials(text []byte) (map[string]string, error) {
	if len(text) == 0 {
		return nil, ErrNoCredentials
	}
	secrets := make(map[string]string)
	if isJSON(text) {
		var list mesospb.Credentials
		if err := unmarshal(text, &list, "credentials"); err != nil {
			return nil, err
		}
		for _, c := range list.GetCredentials() {
			secrets[c.GetPrincipal()] = c.GetSecret()
		}
		return secrets, nil
	}
	for i, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) != 2 {
			return nil, invalid(text, i+1)
		}
		secrets[words[0]] = words[1]
	}
	if len(secrets) == 0 {
		return nil, ErrNoCredentials
	}
	return secrets, nil
}

// ParseCredential reads the text of a file that --credential names, with the daemon's
// own principal and secret, in either form: {"principal": "agent", "secret": "s3cret"}.
func ParseCredential(text []byte) (principal, secret string, err error) {
	if len(text) == 0 {
		return "", "", errors.New("Empty credential file")
	}
	if isJSON(text) {
		var c mesospb.Credential
		if err := unmarshal(text, &c, "credential"); err != nil {
			return "", "", err
		}
		return c.GetPrincipal(), c.GetSecret(), nil
	}
	words := strings.Fields(string(text))
	if len(words) != 2 {
		return "", "", invalid(text, 1)
	}
	return words[0], words[1], nil
}

// isJSON says which of the two forms a file has: no line of words begins like this.
func isJSON(text []byte) bool {
	start := strings.TrimLeft(string(text), " \t\r\n")
	return strings.HasPrefix(start, "{") || strings.HasPrefix(start, "[") || strings.HasPrefix(start, `"`)
}

func unmarshal(text []byte, m proto.Message, what string) error {
	v, err := mesosjson.ParseKind(text, mesosjson.ObjectKind)
	if err != nil {
		return fmt.Errorf("Invalid json format: %s", withoutText(err))
	}
	if err := v.Unmarshal(m, mesosjson.V0); err != nil {
		return fmt.Errorf("Failed to parse %s: %w", what, err)
	}
	return nil
}

// invalid tells about a line that is neither form. It does not show the line: secrets
// may be in it.
func invalid(text []byte, line int) error {
	_, err := mesosjson.ParseKind(text, mesosjson.ObjectKind)
	if err == nil {
		err = errors.New("not an object")
	}
	return fmt.Errorf("Invalid credential format at line: %d (Invalid json format: %s)", line, withoutText(err))
}

// withoutText is what the parser says without the piece of the file at which it stopped,
// as the original shows it: that may be a secret.
func withoutText(err error) string {
	text, _, _ := strings.Cut(err.Error(), " near: ")
	text, _, _ = strings.Cut(text, ": ")
	return text
}
