"""Sample exports of invented businesses, each with the truth about what an import must make of them."""
