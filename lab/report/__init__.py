"""What is shown of recipes: tables, charts and pages. No model depends on anything here."""
