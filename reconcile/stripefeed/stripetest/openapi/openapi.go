// Package openapi compares answers of a Stripe double with Stripe's official OpenAPI specification of API version
// 2023-10-16, the one that the official mock embeds.
//
// It carries 14 MB of specification and belongs into tests only: nothing that ships may import it.
package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stripe/stripe-mock/embedded"
)

type specification struct {
	document *openapi3.T
	paths    []path
}

type path struct {
	segments []string // "" for a parameter
	item     *openapi3.PathItem
}

// load parses the specification once. Unknown members are refused in it, which Stripe leaves open so that it can add
// some: the double must not make members up.
var load = sync.OnceValues(func() (*specification, error) {
	document, err := openapi3.NewLoader().LoadFromData(embedded.OpenAPISpec)
	if err != nil {
		return nil, fmt.Errorf("parse Stripe's OpenAPI specification: %w", err)
	}
	seen := map[*openapi3.Schema]bool{}
	for _, schema := range document.Components.Schemas {
		closeSchema(schema, seen)
	}
	spec := &specification{document: document}
	for template, item := range document.Paths.Map() {
		segments := strings.Split(template, "/")
		for i, segment := range segments {
			if strings.HasPrefix(segment, "{") {
				segments[i] = ""
			}
		}
		spec.paths = append(spec.paths, path{segments, item})
		for _, operation := range item.Operations() {
			for _, response := range operation.Responses.Map() {
				if content := response.Value.Content.Get("application/json"); content != nil {
					closeSchema(content.Schema, seen)
				}
			}
		}
	}
	return spec, nil
})

func closeSchema(ref *openapi3.SchemaRef, seen map[*openapi3.Schema]bool) {
	if ref == nil || ref.Value == nil || seen[ref.Value] {
		return
	}
	schema := ref.Value
	seen[schema] = true
	if len(schema.Properties) > 0 && schema.AdditionalProperties.Has == nil && schema.AdditionalProperties.Schema == nil {
		schema.AdditionalProperties.Has = new(bool)
	}
	for _, property := range schema.Properties {
		closeSchema(property, seen)
	}
	closeSchema(schema.Items, seen)
	for _, alternative := range schema.AnyOf {
		closeSchema(alternative, seen)
	}
}

// Validate checks that the body is what Stripe's specification says a method on a path answers with a status.
// It suits stripetest.Options.ValidateResponses.
func Validate(method, path string, status int, body []byte) error {
	spec, err := load()
	if err != nil {
		return err
	}
	schema, err := spec.schema(method, path, status)
	if err != nil {
		return err
	}
	var value any
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&value); err != nil {
		return fmt.Errorf("body of %s %s is no JSON: %w", method, path, err)
	}
	if err := schema.VisitJSON(value, openapi3.MultiErrors()); err != nil {
		return fmt.Errorf("body of %s %s breaks the specification: %w", method, path, err)
	}
	return nil
}

// schema finds what is promised for a call. Errors look the same everywhere, also on unknown paths.
func (s *specification) schema(method, path string, status int) (*openapi3.Schema, error) {
	if status >= http.StatusBadRequest {
		return s.document.Components.Schemas["error"].Value, nil
	}
	item := s.find(strings.Split(path, "/"))
	if item == nil || item.GetOperation(method) == nil {
		return nil, fmt.Errorf("the specification has no %s %s", method, path)
	}
	response := item.GetOperation(method).Responses.Status(status)
	if response == nil {
		return nil, fmt.Errorf("the specification has no status %d of %s %s", status, method, path)
	}
	return response.Value.Content.Get("application/json").Schema.Value, nil
}

// find prefers the path with the most literal segments.
func (s *specification) find(segments []string) *openapi3.PathItem {
	var best *openapi3.PathItem
	most := -1
	for _, candidate := range s.paths {
		if len(candidate.segments) != len(segments) {
			continue
		}
		literals := 0
		for i, segment := range candidate.segments {
			switch segment {
			case segments[i]:
				literals++
			case "":
			default:
				literals = -len(segments)
			}
		}
		if literals >= 0 && literals > most {
			best, most = candidate.item, literals
		}
	}
	return best
}
