"""One phase of a plan: made, fitted and measured."""
