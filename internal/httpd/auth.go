package httpd

import (
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// Authenticator decides who a request comes from. It returns the principal, which is empty
// where nobody has to say who they are, or answers the request itself and returns false.
type Authenticator func(c *gin.Context, realm string) (principal string, ok bool)

// Anyone is the authenticator of a realm without authentication.
func Anyone(*gin.Context, string) (string, bool) { return "", true }

// Basic makes an authenticator for HTTP basic authentication with the secrets of
// principals, strict as the original's (authenticator.cpp, BasicAuthenticatorProcess): the
// header is exactly two words, the scheme is spelled "Basic", and a secret with a colon in
// it never fits.
func Basic(secrets map[string]string) Authenticator {
	return func(c *gin.Context, realm string) (string, bool) {
		words := strings.Split(c.GetHeader("Authorization"), " ")
		if len(words) == 2 && words[0] == "Basic" {
			if text, err := base64.StdEncoding.DecodeString(words[1]); err == nil {
				if parts := strings.Split(string(text), ":"); len(parts) == 2 {
					secret, known := secrets[parts[0]]
					same := subtle.ConstantTimeCompare([]byte(secret), []byte(parts[1])) == 1
					if known && same {
						return parts[0], true
					}
				}
			}
		}
		Challenge(c, `Basic realm="`+realm+`"`)
		return "", false
	}
}

// Challenge answers 401 with what the client may authenticate by.
func Challenge(c *gin.Context, challenge string) {
	// Spelled as the original spells it, which is not Go's canonical form.
	c.Writer.Header()["WWW-Authenticate"] = []string{challenge}
	Default(c, http.StatusUnauthorized)
}

// Forbidden answers 403 in the default form: the principal may not do that.
func Forbidden(c *gin.Context) { Default(c, http.StatusForbidden) }

const principalKey = "httpd.principal"

// Authenticated puts a handler behind the authentication of a realm. The handler finds
// who asks with Principal.
func Authenticated(who Authenticator, realm string, h gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		principal, ok := who(c, realm)
		if !ok {
			return
		}
		c.Set(principalKey, principal)
		h(c)
	}
}

// Principal is who makes the request, empty for somebody who did not have to say.
func Principal(c *gin.Context) string { return c.GetString(principalKey) }
