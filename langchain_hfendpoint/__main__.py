"""`python -m langchain_hfendpoint` is the `hfendpoint` command."""

from langchain_hfendpoint._cli import main

if __name__ == "__main__":
    main()
